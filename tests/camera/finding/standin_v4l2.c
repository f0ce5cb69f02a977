/* A stand-in for V4L2 devices, preloaded into a process: files below a test's folder answer as devices do.
 *
 * The kernel's own header gives the structures and numbers. The name of the opened file decides:
 *
 *   video0   captures MJPG (1920x1080 at 30, 15; 640x480 at 60) and YUYV in a range of sizes up to 1280x720
 *   video1   has metadata only
 *   video2   captures by planes H264, of a size that it does not name
 *   video3   fails with EIO
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <linux/videodev2.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int number_of(int fd) {
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) return -1;
    path[length] = 0;
    const char *name = strstr(path, "/dev/video");
    return name && name != path ? name[10] - '0' : -1; /* not a device of this machine */
}

static int none(void) {
    errno = EINVAL;
    return -1;
}

static int interval(struct v4l2_frmivalenum *one) {
    static const unsigned large[] = {30, 15}, small[] = {60};
    const unsigned *rates = one->width == 1920 ? large : small;
    unsigned count = one->width == 1920 ? 2 : 1;
    if (one->pixel_format != V4L2_PIX_FMT_MJPEG || one->index >= count) return none();
    one->type = V4L2_FRMIVAL_TYPE_DISCRETE;
    one->discrete.numerator = 1;
    one->discrete.denominator = rates[one->index];
    return 0;
}

static int size(struct v4l2_frmsizeenum *one) {
    if (one->pixel_format == V4L2_PIX_FMT_YUYV && one->index == 0) {
        one->type = V4L2_FRMSIZE_TYPE_STEPWISE;
        one->stepwise = (struct v4l2_frmsize_stepwise){160, 1280, 16, 120, 720, 8};
        return 0;
    }
    if (one->pixel_format != V4L2_PIX_FMT_MJPEG || one->index > 1) return none();
    one->type = V4L2_FRMSIZE_TYPE_DISCRETE;
    one->discrete.width = one->index ? 640 : 1920;
    one->discrete.height = one->index ? 480 : 1080;
    return 0;
}

static int format(int device, struct v4l2_fmtdesc *one) {
    static const unsigned codes[] = {V4L2_PIX_FMT_MJPEG, V4L2_PIX_FMT_YUYV};
    if (device == 0 && one->type == V4L2_BUF_TYPE_VIDEO_CAPTURE && one->index < 2) {
        one->pixelformat = codes[one->index];
        return 0;
    }
    if (device == 2 && one->type == V4L2_BUF_TYPE_VIDEO_CAPTURE_MPLANE && one->index == 0) {
        one->pixelformat = V4L2_PIX_FMT_H264;
        return 0;
    }
    return none();
}

int ioctl(int fd, unsigned long request, ...) {
    va_list rest;
    va_start(rest, request);
    void *given = va_arg(rest, void *);
    va_end(rest);
    int device = number_of(fd);
    if (device < 0) {
        int (*real)(int, unsigned long, ...) = (int (*)(int, unsigned long, ...))dlsym(RTLD_NEXT, "ioctl");
        return real(fd, request, given);
    }
    if (device == 3) {
        errno = EIO;
        return -1;
    }
    switch ((unsigned)request) {
    case VIDIOC_QUERYCAP: {
        struct v4l2_capability *one = given;
        one->capabilities = V4L2_CAP_DEVICE_CAPS | V4L2_CAP_VIDEO_CAPTURE | V4L2_CAP_META_CAPTURE;
        one->device_caps = device == 0   ? V4L2_CAP_VIDEO_CAPTURE
                           : device == 2 ? V4L2_CAP_VIDEO_CAPTURE_MPLANE
                                         : V4L2_CAP_META_CAPTURE;
        return 0;
    }
    case VIDIOC_ENUM_FMT: return format(device, given);
    case VIDIOC_ENUM_FRAMESIZES: return size(given);
    case VIDIOC_ENUM_FRAMEINTERVALS: return interval(given);
    default: return none();
    }
}
