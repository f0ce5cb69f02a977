"""Model bundle: a directory with artefacts, golden set and evidence, described by a manifest. Knows no
engine.

``manifest`` is the schema and ``manifest_text`` its YAML form. ``reading`` opens and verifies a bundle
(``files`` checks names, sizes and hashes), ``writing`` creates one atomically. ``golden`` stores reference
outputs, ``evidence`` the records of training and comparison. ``model_description`` finds the description of a
float model. The format is documented in docs/bundle.md.
"""
