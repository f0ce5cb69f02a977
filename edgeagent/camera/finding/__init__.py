"""Finding cameras for a first configuration; nothing here runs unless somebody asks for it.

``v4l2`` lists capture devices of this machine with their formats, ``ws_discovery`` asks the network for ONVIF
cameras, ``onvif_media`` asks one of them for its streams, ``address_picture`` tries an address by one
picture. ``found_camera`` is what all of them give.
"""
