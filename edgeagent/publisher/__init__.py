"""Publisher: a TUF repository of static files, created and signed by the publish commands.

::

    DIR/repository/metadata/   timestamp.json, N.snapshot.json, N.targets.json, N.CHANNEL.json, N.root.json
    DIR/repository/targets/    CHANNEL/HASH.channel.json, CHANNEL/NAME/VERSION/HASH.FILE
    DIR/publisher.json, steps.json, staged/    not served: key locations, rollout steps, metadata to sign

Start with ``repository``: it collects edits, signs and serves them. ``places``, ``opening``, ``served`` and
``status`` handle the folder; ``roles``, ``keys``, ``signers``, ``signatures``, ``handover``, ``pkcs8`` and
``passphrase`` the keys; ``release``, ``rollout_steps``, ``condition``, ``fleet`` and ``watch`` the rollouts;
``audit``, ``audit_chain`` and ``audit_check`` the log of who changed what.
"""
