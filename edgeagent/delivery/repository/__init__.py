"""Client of the model repository: TUF metadata, channel index and resumable downloads.

Start with ``client``: the offers of a channel and the files of a release. ``trust`` verifies metadata with
python-tuf (``fetcher`` feeds it), ``channel`` parses the signed index, ``clock`` detects an implausible
clock. ``download`` fetches a file of known length and hash and resumes it. ``transport`` is the protocol for
a folder or the web server of ``http_transport``; ``throttled_reader`` limits the speed of a transfer,
``transfer_limits`` holds time-outs, minimum speed and retries.
"""
