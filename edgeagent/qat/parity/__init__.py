"""Whether an artefact computes, in its engine, what was trained."""
