"""Publisher: a TUF repository of static files, created and signed by the publish commands.

::

    DIR/repository/metadata/   timestamp.json, N.snapshot.json, N.targets.json, N.CHANNEL.json, N.root.json
    DIR/repository/targets/    CHANNEL/HASH.channel.json, CHANNEL/NAME/VERSION/HASH.FILE
    DIR/publisher.json, steps.json, staged/    not served: key locations, rollout steps, metadata to sign

Start with ``repository``, which collects edits, signs and serves them; ``places`` is the folder, ``opening`` its
lock, ``served`` and ``status`` its content. Keys: ``roles``, ``keys``, ``signers``, ``signatures``,
``handover``, ``pkcs8``, ``passphrase``. Rollouts: ``release``, ``rollout_steps``, ``condition``, ``fleet``,
``watch``. ``verification`` checks a repository like a device.
"""
