// Package repository holds no code: its tests look at the repository as a whole.
// No tracked file holds a secret, and every control that the threat model of
// docs/security.md names has the test that it names.
package repository
