// Package access says who may do what at a Proofline server.
//
// [Table] is the whole of it: one row for each [Permission] with the roles that
// have it. The server's routes name a permission each, [Can] decides, and
// docs/access.md is generated from the same table. Besides, the package holds
// what a login needs and that is no database's business: passwords as argon2id
// hashes ([HashPassword], [CheckPassword]), how long an account or an address
// waits after wrong ones ([Backoff]), and how groups of an identity provider
// become roles ([GroupRoles]).
//
// It is pure: it knows no store, no HTTP and no clock. Package access/login
// joins it with the store.
package access
