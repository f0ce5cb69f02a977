"""Pictures and geometry without a model: frames, picture files and letterbox arithmetic.

``frame`` is one captured frame (BGR uint8), ``picture`` reads picture files into arrays, ``letterbox``
computes the placement of a picture in a model input and converts boxes between the two.
"""
