// Package barcode reads the barcodes of identity documents: PDF417 on driving
// licences, QR, Aztec and Data Matrix on others.
//
// Read finds the symbols in an image; a Symbol holds the raw bytes, which are
// outside input and must be treated as such. ParseAAMVA reads the text of a
// North American driving licence into its data elements.
//
// The decoding is ZXing-C++'s (Apache-2.0), called through one small function.
package barcode
