/* A GStreamer plugin for tests/it/decoders.rs: `nvh264dec`, which is avdec_h264 in truth and fails as it is told.
 *
 * STANDIN in the environment says how:
 *   unset          it works
 *   no-device      it can't be started
 *   hangs          it never comes back from its first picture
 *   fails-after=N  it breaks after N pictures (a trial takes fewer than ten)
 *   silent-after=N it takes pictures after N and gives nothing for them
 */
#include <gst/gst.h>
#include <stdlib.h>
#include <string.h>

typedef struct { GstBin bin; int taken; } StandIn;
typedef struct { GstBinClass bin; } StandInClass;
G_DEFINE_TYPE(StandIn, stand_in, GST_TYPE_BIN)

static GstStaticPadTemplate sink_template = GST_STATIC_PAD_TEMPLATE("sink", GST_PAD_SINK, GST_PAD_ALWAYS,
    GST_STATIC_CAPS("video/x-h264, stream-format=byte-stream, alignment=au, profile={ main, high, constrained-baseline }"));
static GstStaticPadTemplate src_template = GST_STATIC_PAD_TEMPLATE("src", GST_PAD_SRC, GST_PAD_ALWAYS,
    GST_STATIC_CAPS("video/x-raw"));

static gboolean told(const char *what) {
    const char *how = g_getenv("STANDIN");
    return how != NULL && strcmp(how, what) == 0;
}

static gboolean is_over(StandIn *self, const char *what) {
    const char *how = g_getenv("STANDIN");
    return how != NULL && g_str_has_prefix(how, what) && self->taken > atoi(how + strlen(what));
}

static GstPadProbeReturn take(GstPad *pad, GstPadProbeInfo *info, gpointer data) {
    StandIn *self = data;
    (void)pad;
    (void)info;
    self->taken++;
    if (told("hangs"))
        for (;;) g_usleep(G_USEC_PER_SEC);
    if (is_over(self, "fails-after=")) {
        GST_ELEMENT_ERROR(self, STREAM, DECODE, ("The stand-in gives up."), (NULL));
        return GST_PAD_PROBE_DROP;
    }
    return is_over(self, "silent-after=") ? GST_PAD_PROBE_DROP : GST_PAD_PROBE_OK;
}

static GstStateChangeReturn change_state(GstElement *element, GstStateChange change) {
    if (change == GST_STATE_CHANGE_NULL_TO_READY && told("no-device")) {
        GST_ELEMENT_ERROR(element, RESOURCE, NOT_FOUND, ("The stand-in has no device."), (NULL));
        return GST_STATE_CHANGE_FAILURE;
    }
    return GST_ELEMENT_CLASS(stand_in_parent_class)->change_state(element, change);
}

static void add_pad(StandIn *self, GstElement *inner, const char *name) {
    GstPad *target = gst_element_get_static_pad(inner, name);
    gst_element_add_pad(GST_ELEMENT(self), gst_ghost_pad_new(name, target));
    gst_object_unref(target);
}

static void stand_in_init(StandIn *self) {
    GstElement *inner = gst_element_factory_make("avdec_h264", NULL);
    g_object_set(inner, "max-threads", 1, NULL);
    gst_util_set_object_arg(G_OBJECT(inner), "std-compliance", "normal");
    gst_bin_add(GST_BIN(self), inner);
    add_pad(self, inner, "sink");
    add_pad(self, inner, "src");
    GstPad *sink = gst_element_get_static_pad(inner, "sink");
    gst_pad_add_probe(sink, GST_PAD_PROBE_TYPE_BUFFER, take, self, NULL);
    gst_object_unref(sink);
}

static void stand_in_class_init(StandInClass *class) {
    GstElementClass *element = GST_ELEMENT_CLASS(class);
    element->change_state = change_state;
    gst_element_class_add_static_pad_template(element, &sink_template);
    gst_element_class_add_static_pad_template(element, &src_template);
    gst_element_class_set_static_metadata(element, "Stand-in", "Codec/Decoder/Video/Hardware", "Fails as told", "Stakeout");
}

static gboolean plugin_init(GstPlugin *plugin) {
    return gst_element_register(plugin, "nvh264dec", GST_RANK_NONE, stand_in_get_type());
}

#define PACKAGE "stakeout"
GST_PLUGIN_DEFINE(GST_VERSION_MAJOR, GST_VERSION_MINOR, standin, "Stand-in for hardware", plugin_init, "1", "MIT/X11",
    "stakeout", "stakeout")
