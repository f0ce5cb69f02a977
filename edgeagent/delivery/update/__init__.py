"""Updater: selection, fetching and activation of releases.

Start with ``updater``, the thread that checks, fetches, tries and rolls back. ``policy`` selects the release
for a device under the signed rollout policy, ``channel_source`` applies it to a channel, ``device`` gives the
properties of the device. ``deployment_steps`` moves one model from the channel to its trial,
``deployment_decisions`` holds the transitions. ``commands`` and ``command_queue`` handle remote commands,
``schedule`` the times of update checks, ``updater_status`` the progress, ``protocols`` the interfaces to
sources and model runners.
"""
