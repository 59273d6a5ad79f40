extension String {
    /// Whether two tokens are spelled with the same bytes. Swift's `==` also accepts canonically equivalent spellings.
    func isSpelled(like other: String) -> Bool { utf8.elementsEqual(other.utf8) }
}
