// Package storage is the evidence vault: it keeps encrypted objects (photos,
// templates, extracted fields) in a blob store and can prove that it forgot
// them.
//
// The types to know are [Vault], which encrypts, finds and erases evidence, and
// [Blobs], the small contract of a blob store, with a driver for a directory
// ([OpenFS]) and one for S3-compatible stores ([OpenS3]). Every pair of session
// and data class has its own random data key, wrapped by a key of the
// [Keyring]; erasing evidence destroys the wrapped data key first, so that even
// a copy of the objects in a backup stays unreadable, and the objects second.
//
// The vault keeps no state of its own: rows about objects live behind [Index],
// which the session store implements in its own database, and rows about data
// keys behind [KeyIndex], which is best a database apart: a backup of the one
// without the other reads nothing, so that erased stays erased when a backup is
// restored ([Vault.Settle] brings the two together again).
// docs/vault-format.md describes the bytes of an object so that another program
// can read them.
package storage

// Class is a data class: evidence of one class shares a data key and a
// retention period per session.
type Class string

// The data classes.
const (
	CaptureImage      Class = "capture_image"      // photos as uploaded, rectified documents, crops
	BiometricTemplate Class = "biometric_template" // face embeddings
	ExtractedFields   Class = "extracted_fields"   // values read from a document, claims of the client
	Outcome           Class = "outcome"            // decisions and receipts
	Consent           Class = "consent"            // consent records
	ReviewNote        Class = "review_note"        // free text of a reviewer
)

// Classes lists every data class.
var Classes = []Class{CaptureImage, BiometricTemplate, ExtractedFields, Outcome, Consent, ReviewNote}

// Valid tells whether c is one of Classes.
func (c Class) Valid() bool {
	for _, k := range Classes {
		if c == k {
			return true
		}
	}
	return false
}
