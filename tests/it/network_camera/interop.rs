//! RTSP servers that are not ours.
