"""Front-end parts: style sheets, icons and ES modules; no build step, and nothing from outside.

``tokens.css`` has sizes and colours, ``elements.css`` tables, cards, forms and states, ``live-picture.css``
the pictures. The modules export what a page of another server uses as well: a live picture, a stream of
pictures, curves, local times, reports of errors.
"""
