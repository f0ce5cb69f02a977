"""What toolchains that do not run here would make of an artefact, by their published rules."""
