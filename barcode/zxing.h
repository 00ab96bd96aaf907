#pragma once
#include <stddef.h>
#include <stdint.h>
#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
  int format;       /* index into the formats of zxing.go, from 1 */
  int corners[8];   /* x, y from the top left corner of the symbol, clockwise */
  size_t size;
  uint8_t *bytes;   /* owned by the caller, freed with proofline_barcodes_free */
} proofline_barcode;

/* Reads at most max symbols of an 8-bit grey image. Returns their number, or
   -1 when the library threw. */
int proofline_barcodes(const uint8_t *grey, int width, int height, int stride,
                       int thorough, proofline_barcode *out, int max);
void proofline_barcodes_free(proofline_barcode *out, int n);

/* Draws a PDF417 symbol, one byte (0 or 255) per module, freed with
   proofline_free. Returns NULL when the content does not fit. */
uint8_t *proofline_pdf417(const uint8_t *content, size_t size, int level, int *width, int *height);
void proofline_free(uint8_t *p);

#ifdef __cplusplus
}
#endif
