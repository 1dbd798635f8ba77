/* A GStreamer plugin for tests/it/decoders.rs: decoders that are avdec_h264 in truth and fail as they are told.
 *
 * STANDIN in the environment says how:
 *   unset          `nvh264dec` works
 *   jetson         there is no `nvh264dec`, but `nvv4l2decoder` and `nvvidconv`; while `disable-dpb` is set, the decoder
 *                  can't stand pictures that are shown before one that came earlier
 *   no-device      it can't be started
 *   hangs          it never comes back from its first picture
 *   fails-after=N  it breaks after N pictures (a trial takes fewer than ten)
 *   silent-after=N it takes pictures after N and gives nothing for them
 */
#include <gst/gst.h>
#include <stdlib.h>
#include <string.h>

typedef struct { GstBin bin; int taken; gboolean disable_dpb; GstClockTime newest; } StandIn;
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
    self->taken++;
    GstClockTime pts = GST_BUFFER_PTS(GST_PAD_PROBE_INFO_BUFFER(info));
    gboolean keyframe = !GST_BUFFER_FLAG_IS_SET(GST_PAD_PROBE_INFO_BUFFER(info), GST_BUFFER_FLAG_DELTA_UNIT);
    if (self->disable_dpb && pts < self->newest && !keyframe) {
        GST_ELEMENT_ERROR(self, STREAM, DECODE, ("The stand-in reorders nothing."), (NULL));
        return GST_PAD_PROBE_DROP;
    }
    if (pts > self->newest || keyframe)
        self->newest = pts;
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

static void add_pad(GstElement *self, GstElement *inner, const char *name) {
    GstPad *target = gst_element_get_static_pad(inner, name);
    gst_element_add_pad(self, gst_ghost_pad_new(name, target));
    gst_object_unref(target);
}

static void stand_in_init(StandIn *self) {
    GstElement *inner = gst_element_factory_make("avdec_h264", NULL);
    g_object_set(inner, "max-threads", 1, NULL);
    gst_util_set_object_arg(G_OBJECT(inner), "std-compliance", "normal");
    gst_bin_add(GST_BIN(self), inner);
    add_pad(GST_ELEMENT(self), inner, "sink");
    add_pad(GST_ELEMENT(self), inner, "src");
    GstPad *sink = gst_element_get_static_pad(inner, "sink");
    gst_pad_add_probe(sink, GST_PAD_PROBE_TYPE_BUFFER, take, self, NULL);
    gst_object_unref(sink);
}

static void set_property(GObject *object, guint id, const GValue *value, GParamSpec *spec) {
    (void)id;
    (void)spec;
    ((StandIn *)object)->disable_dpb = g_value_get_boolean(value);
}

static void stand_in_class_init(StandInClass *class) {
    if (told("jetson")) {
        G_OBJECT_CLASS(class)->set_property = set_property;
        g_object_class_install_property(G_OBJECT_CLASS(class), 1,
            g_param_spec_boolean("disable-dpb", "", "", FALSE, G_PARAM_WRITABLE));
    }
    GstElementClass *element = GST_ELEMENT_CLASS(class);
    element->change_state = change_state;
    gst_element_class_add_static_pad_template(element, &sink_template);
    gst_element_class_add_static_pad_template(element, &src_template);
    gst_element_class_set_static_metadata(element, "Stand-in", "Codec/Decoder/Video/Hardware", "Fails as told", "Stakeout");
}

/* `nvvidconv`: videoconvert in truth. */
typedef struct { GstBin bin; } Converter;
typedef struct { GstBinClass bin; } ConverterClass;
G_DEFINE_TYPE(Converter, converter, GST_TYPE_BIN)

static void converter_init(Converter *self) {
    GstElement *inner = gst_element_factory_make("videoconvert", NULL);
    gst_bin_add(GST_BIN(self), inner);
    add_pad(GST_ELEMENT(self), inner, "sink");
    add_pad(GST_ELEMENT(self), inner, "src");
}

static void converter_class_init(ConverterClass *class) {
    static GstStaticPadTemplate raw_sink = GST_STATIC_PAD_TEMPLATE("sink", GST_PAD_SINK, GST_PAD_ALWAYS,
        GST_STATIC_CAPS("video/x-raw"));
    gst_element_class_add_static_pad_template(GST_ELEMENT_CLASS(class), &raw_sink);
    gst_element_class_add_static_pad_template(GST_ELEMENT_CLASS(class), &src_template);
    gst_element_class_set_static_metadata(GST_ELEMENT_CLASS(class), "Stand-in", "Filter/Converter", "Copies", "Stakeout");
}

static gboolean plugin_init(GstPlugin *plugin) {
    if (told("jetson"))
        return gst_element_register(plugin, "nvv4l2decoder", GST_RANK_NONE, stand_in_get_type())
            && gst_element_register(plugin, "nvvidconv", GST_RANK_NONE, converter_get_type());
    return gst_element_register(plugin, "nvh264dec", GST_RANK_NONE, stand_in_get_type());
}

#define PACKAGE "stakeout"
GST_PLUGIN_DEFINE(GST_VERSION_MAJOR, GST_VERSION_MINOR, standin, "Stand-in for hardware", plugin_init, "1", "MIT/X11",
    "stakeout", "stakeout")
