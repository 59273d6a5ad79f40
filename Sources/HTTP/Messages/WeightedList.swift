/// The items of a list field with weights, such as Accept (RFC 9110, section 12.5.1), in order.
package struct WeightedList {
    /// An item with its weight.
    package struct Item {
        /// The item in lowercase, without white space and parameters; empty for an empty item.
        package let name: String
        /// The value of the parameter `q`: 1 by default, 0 if it is not a number. It may lie outside of 0 to 1.
        package let weight: Double
    }

    /// The items in the order of the field.
    package let items: [Item]

    /// - Parameter field: the value of the field; `nil` if the message has none.
    package init(_ field: String?) {
        items = (field ?? "").split(separator: ",").compactMap { item in
            let parts = item.split(separator: ";").map { $0.filter { $0 != " " && $0 != "\t" }.lowercased() }
            guard let name = parts.first else { return nil }
            let weight = parts.dropFirst().first { $0.hasPrefix("q=") }
            return Item(name: name, weight: weight.map { Double($0.dropFirst(2)) ?? 0 } ?? 1)
        }
    }
}
