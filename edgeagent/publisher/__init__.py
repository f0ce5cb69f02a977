"""The publisher: a TUF repository of plain files, made and signed by ``edgeagent publish``.

::

    DIR/repository/metadata/   timestamp.json, N.snapshot.json, N.targets.json, N.CHANNEL.json, N.root.json
    DIR/repository/targets/    CHANNEL/HASH.channel.json, CHANNEL/NAME/VERSION/HASH.FILE
    DIR/publisher.json         where the private keys are, and how long signatures last
    DIR/steps.json             the next steps of rollouts
    DIR/staged/                metadata that still lacks signatures

Only ``DIR/repository`` is served. Private keys lie elsewhere.
"""
