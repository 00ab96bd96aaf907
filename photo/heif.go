//go:build !noheif

package photo

/*
#cgo pkg-config: libheif
#include <stdlib.h>
#include <libheif/heif.h>

// proofline_heif decodes the primary picture of a HEIF file to RGB within
// max_side. It returns libheif's error code, 0 for success. Everything opened
// here is released here, but for *img, which the caller releases.
static int proofline_heif(const void *mem, size_t size, int max_side, struct heif_image **img) {
	struct heif_context *ctx = heif_context_alloc();
	if (!ctx) return -1;
	heif_context_set_maximum_image_size_limit(ctx, max_side);
	heif_context_set_max_decoding_threads(ctx, 1);
	struct heif_image_handle *handle = NULL;
	struct heif_error e = heif_context_read_from_memory_without_copy(ctx, mem, size, NULL);
	if (e.code == heif_error_Ok) e = heif_context_get_primary_image_handle(ctx, &handle);
	if (e.code == heif_error_Ok) {
		struct heif_decoding_options *o = heif_decoding_options_alloc();
		o->convert_hdr_to_8bit = 1;
		o->strict_decoding = 1;
		e = heif_decode_image(handle, img, heif_colorspace_RGB, heif_chroma_interleaved_RGB, o);
		heif_decoding_options_free(o);
	}
	if (handle) heif_image_handle_release(handle);
	heif_context_free(ctx);
	return e.code;
}
*/
import "C"

import (
	"unsafe"

	"gocv.io/x/gocv"
)

// LoadHEIF makes libheif load what it would at its first picture, for a process
// that will not be able to open files by then.
func LoadHEIF() { C.heif_init(nil) }

// codedSlack is how much wider than the picture its coded form may be: HEVC
// rounds up to whole coding tree blocks of at most 64 pixels.
const codedSlack = 128

// decodeHEIF decodes HEIC and AVIF through libheif, which also turns the
// picture upright (irot, imir) and crops it (clap).
func (h *header) decodeHEIF(reduce int) (gocv.Mat, *Error) {
	var img *C.struct_heif_image
	code := C.proofline_heif(unsafe.Pointer(&h.payload[0]), C.size_t(len(h.payload)), C.int(max(h.width, h.height)+codedSlack), &img)
	if img != nil {
		defer C.heif_image_release(img)
	}
	switch {
	case code == C.heif_error_Unsupported_filetype, code == C.heif_error_Unsupported_feature, code == C.heif_error_Decoder_plugin_error:
		return gocv.Mat{}, refuse(CodeUnsupportedFormat, "this kind of %s can not be decoded here: send JPEG", h.format)
	case code != C.heif_error_Ok || img == nil:
		return gocv.Mat{}, refuse(CodeCorrupt, "the %s can not be decoded", h.format)
	}
	w, ht := int(C.heif_image_get_width(img, C.heif_channel_interleaved)), int(C.heif_image_get_height(img, C.heif_channel_interleaved))
	var stride C.int
	plane := C.heif_image_get_plane_readonly(img, C.heif_channel_interleaved, &stride)
	if plane == nil || w <= 0 || ht <= 0 || w*ht > h.width*h.height || int(stride) < 3*w {
		return gocv.Mat{}, refuse(CodeCorrupt, "the %s contradicts its header", h.format)
	}
	return flatten(&rgbPlane{unsafe.Slice((*byte)(plane), int(stride)*(ht-1)+3*w), int(stride), w, ht}, reduce)
}
