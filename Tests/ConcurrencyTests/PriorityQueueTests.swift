import Testing

@testable import Concurrency

@Suite struct PriorityQueueTests {
    /// The elements come out by key, those of equal keys in the order in which they went in, as a stable sort puts them.
    @Test(arguments: [0, 1, 2, 3, 7, 100, 1000], [1, 3, 1000])
    func ordersAsAStableSort(count: Int, keys: Int) {
        var queue = PriorityQueue<Int, Int>()
        var expected: [(key: Int, element: Int)] = []
        for element in 0..<count {
            let key = element * 7919 % keys
            queue.insert(element, key: key)
            expected.append((key, element))
        }
        queue.removeAll { $0 % 5 == 3 }
        expected.removeAll { $0.element % 5 == 3 }
        expected.sort { ($0.key, $0.element) < ($1.key, $1.element) }
        for (place, next) in expected.enumerated() {
            #expect(queue.count == expected.count - place)
            #expect(queue.firstKey == next.key && queue.first == next.element)
            #expect(queue.popFirst() == next.element)
            if place % 3 == 0 {
                queue.insert(-1, key: -1)
                #expect(queue.popFirst() == -1)
            }
        }
        #expect(queue.isEmpty && queue.popFirst() == nil && queue.firstKey == nil)
    }
}
