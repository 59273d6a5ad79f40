/// The reason why a server cannot be set up: an address, a file of keys, or a certificate that is of no use.
package struct HTTPServerError: Error, CustomStringConvertible {
    /// A sentence for the operator.
    package let description: String
    package init(description: String) { self.description = description }
}
