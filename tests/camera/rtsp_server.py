"""Real RTSP server on the loopback interface, for tests of camera loss and reconnect.

Runs under the system's Python (`/usr/bin/python3`), which has the GStreamer bindings. Prints
``<port> <encoder>`` when it is ready, and runs until it is killed.

    /usr/bin/python3 rtsp_server.py [--port N] [--width W] [--height H] [--fps F] [--user U --password P]

Debian: python3-gi gir1.2-gst-rtsp-server-1.0 gstreamer1.0-plugins-good gstreamer1.0-plugins-ugly
"""

import argparse
import sys

import gi  # type: ignore[import-not-found]

gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtspServer  # type: ignore[import-not-found] # noqa: E402

ENCODERS = {
    "x264enc": "x264enc tune=zerolatency speed-preset=ultrafast key-int-max=10 ! rtph264pay name=pay0 pt=96",
    "openh264enc": "openh264enc gop-size=10 ! h264parse ! rtph264pay name=pay0 pt=96",
    "jpegenc": "jpegenc ! rtpjpegpay name=pay0 pt=26",
}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", default="0")
    parser.add_argument("--width", type=int, default=160)
    parser.add_argument("--height", type=int, default=128)
    parser.add_argument("--fps", type=int, default=20)
    parser.add_argument("--user")
    parser.add_argument("--password")
    options = parser.parse_args()

    Gst.init(None)
    encoder = next((name for name in ENCODERS if Gst.ElementFactory.find(name) is not None), None)
    if encoder is None:
        sys.exit(f"none of {', '.join(ENCODERS)} is installed")

    server = GstRtspServer.RTSPServer.new()
    server.set_address("127.0.0.1")
    server.set_service(options.port)
    factory = GstRtspServer.RTSPMediaFactory.new()
    factory.set_shared(True)
    size = f"width={options.width},height={options.height},framerate={options.fps}/1"
    factory.set_launch(
        f"( videotestsrc is-live=true pattern=ball ! video/x-raw,format=I420,{size} ! {ENCODERS[encoder]} )"
    )
    if options.user is not None:
        token = GstRtspServer.RTSPToken.new()
        token.set_string(GstRtspServer.RTSP_TOKEN_MEDIA_FACTORY_ROLE, options.user)
        auth = GstRtspServer.RTSPAuth.new()
        auth.add_basic(GstRtspServer.RTSPAuth.make_basic(options.user, options.password), token)
        server.set_auth(auth)
        permissions = GstRtspServer.RTSPPermissions.new()
        permissions.add_permission_for_role(options.user, "media.factory.access", True)
        permissions.add_permission_for_role(options.user, "media.factory.construct", True)
        factory.set_permissions(permissions)
    server.get_mount_points().add_factory("/live", factory)
    if server.attach(None) == 0:
        sys.exit(f"port {options.port} cannot be had")
    sys.stdout.write(f"{server.get_bound_port()} {encoder}\n")
    sys.stdout.flush()
    GLib.MainLoop().run()


if __name__ == "__main__":
    main()
