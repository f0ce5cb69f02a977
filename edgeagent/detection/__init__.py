"""What serves: the way from a verified bundle to detections of live frames.

In the order in which a model passes through::

    candidates.py       artefacts of the bundle x delegates of the catalogue
    detector.py         engine + preprocessing + decoding = Detector
    starting.py         start_detector: a detector in a worker process, or an error and no process
    golden_check.py     outputs compared with the reference outputs of the bundle
    journal.py          START, END and ERROR of each trial, on the disk before the trial
    records.py          verdicts of trials, kept for the next start
    trial_key.py        all that a verdict depends on
    latency.py          timing of a detector, alone or in turn with the one that serves
    trials.py           each candidate started, checked and timed
    ranking.py          candidates in the order in which they may serve: where callers come in
    candidate_state.py  back-off of a candidate that failed, and the order of starts
    candidate_ranks.py  which candidates are better than the one that serves
    candidate_starter.py  the first of several candidates that starts
    frame_hold.py       frames wait a moment while a candidate is timed
    background_trials.py  candidates tried beside the one that serves
    serving_state.py    what serves, as others are told
    serving.py          which candidate serves now: state machine of one bundle
    exchange.py         one bundle exchanged for another between two frames
    motion_gate.py      which frames the detector runs for
    frame_parts.py      regions of a frame, and their detections as those of the frame
    detectors.py        where a pipeline gets its detector from
    frame_intake.py     the next frame, of the camera whose turn it is
    frame_jobs.py       what is on its way through the pipeline
    frame_result.py     what the pipeline delivers
    pipeline.py         cameras -> prepare -> infer -> finish, through what serves now

The daemon, the gate, the shadow run, ``edgeagent bench`` and the Python API all come in at ranking.py.
"""
