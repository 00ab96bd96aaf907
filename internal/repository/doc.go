// Package repository holds no code: its tests look at the repository as a whole.
// No tracked file holds a secret, and every control that the threat model of
// docs/security.md names has the test that it names. Every link of every page leads
// somewhere, the index has every page, and docs/limits.md has the numbers of the
// code.
package repository
