import HTTP

extension WeightedList {
    /// Returns the format of the item with the largest weight above 0, the first of equals; `nil` if there is none.
    /// - Parameter format: The format that a media range such as `image/*` stands for; `nil` if it stands for none.
    func preferred<Format>(_ format: (String) -> Format?) -> Format? {
        var best: (format: Format, weight: Double)?
        for item in items where item.weight > best?.weight ?? 0 {
            if let format = format(item.name) { best = (format, item.weight) }
        }
        return best?.format
    }
}
