import Testing

@testable import Concurrency

@Suite struct FIFOTests {
    /// The elements come out in the order in which they went in, also past 64 and 1,024 of them, where the room of those that
    /// have left is given back.
    @Test(arguments: [0, 1, 2, 64, 65, 66, 129, 130, 131, 1023, 1024, 1025, 5000])
    func keepsTheOrder(count: Int) {
        var queue = FIFO<Int>()
        var (appended, taken) = (0, 0)
        func check() {
            #expect(queue.count == appended - taken && queue.isEmpty == (appended == taken))
            #expect(queue.first == (appended == taken ? nil : taken))
            #expect(queue.head <= 64 || queue.head * 2 <= queue.items.count)
        }
        func append(_ count: Int) {
            for _ in 0..<count {
                queue.append(appended)
                appended += 1
            }
            check()
        }
        func take(_ count: Int) {
            for _ in 0..<count {
                #expect(queue.popFirst() == taken)
                taken += 1
                check()
            }
        }
        append(count)
        take(count / 2)
        append(count)
        take(count)
        append(1)
        take(queue.count)
        #expect(queue.popFirst() == nil && queue.items.isEmpty && queue.head == 0)
    }

    /// An element that has left is released at once.
    @Test func keepsNoElementThatHasLeft() {
        final class Element {}
        var queue = FIFO<Element>()
        queue.append(Element())
        queue.append(Element())
        weak let first = queue.first
        #expect(first != nil)
        _ = queue.popFirst()
        #expect(first == nil && queue.count == 1)
    }

    /// A queue that was long gives its memory back when it is empty; a short one keeps it for the next elements.
    @Test(arguments: [(200, true), (5000, false)])
    func keepsLittleMemory(count: Int, isKept: Bool) {
        var queue = FIFO<Int>()
        for i in 0..<count { queue.append(i) }
        while queue.popFirst() != nil {}
        #expect((queue.items.capacity >= count) == isKept)
        #expect(queue.items.capacity < 1024)
    }
}
