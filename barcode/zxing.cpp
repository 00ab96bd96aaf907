#define ZX_USE_UTF8 1
#include "zxing.h"

#include <ZXing/BitMatrix.h>
#include <ZXing/MultiFormatWriter.h>
#include <ZXing/ReadBarcode.h>

#include <cstdlib>
#include <cstring>
#include <string>

static int formatIndex(ZXing::BarcodeFormat f) {
  switch (f) {
  case ZXing::BarcodeFormat::PDF417: return 1;
  case ZXing::BarcodeFormat::QRCode: return 2;
  case ZXing::BarcodeFormat::DataMatrix: return 3;
  case ZXing::BarcodeFormat::Aztec: return 4;
  default: return 0;
  }
}

// No exception may cross into Go: all of them end here.
extern "C" int proofline_barcodes(const uint8_t *grey, int width, int height, int stride,
                                  int thorough, proofline_barcode *out, int max) try {
  ZXing::DecodeHints hints;
  hints.setFormats(ZXing::BarcodeFormat::PDF417 | ZXing::BarcodeFormat::QRCode |
                   ZXing::BarcodeFormat::DataMatrix | ZXing::BarcodeFormat::Aztec);
  hints.setTryHarder(thorough != 0);
  hints.setTryRotate(true);
  hints.setMaxNumberOfSymbols(max);
  ZXing::ImageView view(grey, width, height, ZXing::ImageFormat::Lum, stride);
  int n = 0;
  for (const auto &r : ZXing::ReadBarcodes(view, hints)) {
    int format = formatIndex(r.format());
    if (n == max || !r.isValid() || format == 0) continue;
    proofline_barcode &b = out[n];
    b.format = format;
    const auto &p = r.position();
    for (int i = 0; i < 4; i++) {
      b.corners[2 * i] = p[i].x;
      b.corners[2 * i + 1] = p[i].y;
    }
    const auto &bytes = r.bytes();
    b.size = bytes.size();
    b.bytes = static_cast<uint8_t *>(std::malloc(b.size ? b.size : 1));
    if (!b.bytes) break;
    std::memcpy(b.bytes, bytes.data(), b.size);
    n++;
  }
  return n;
} catch (...) {
  return -1;
}

extern "C" void proofline_barcodes_free(proofline_barcode *out, int n) {
  for (int i = 0; i < n; i++) std::free(out[i].bytes);
}

extern "C" uint8_t *proofline_pdf417(const uint8_t *content, size_t size, int level, int *width, int *height) try {
  std::wstring text(content, content + size);
  auto m = ZXing::MultiFormatWriter(ZXing::BarcodeFormat::PDF417).setEccLevel(level).setMargin(2).encode(text, 0, 0);
  *width = m.width();
  *height = m.height();
  auto p = static_cast<uint8_t *>(std::malloc(static_cast<size_t>(m.width()) * m.height()));
  if (!p) return nullptr;
  for (int y = 0; y < m.height(); y++)
    for (int x = 0; x < m.width(); x++) p[y * m.width() + x] = m.get(x, y) ? 0 : 255;
  return p;
} catch (...) {
  return nullptr;
}

extern "C" void proofline_free(uint8_t *p) { std::free(p); }
