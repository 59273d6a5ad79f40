import Glibc

/// What the machine says of its caches (sysconf(3), glibc's `_SC_LEVEL2_CACHE_SIZE`, which asks CPUID).
public enum CPUCaches {
    /// Bytes of a core's second level of cache; 1 MiB where the system does not tell.
    public static let l2Bytes: Int = {
        let size = sysconf(Int32(_SC_LEVEL2_CACHE_SIZE))
        return (64 << 10...1 << 30).contains(size) ? size : 1 << 20
    }()
}
