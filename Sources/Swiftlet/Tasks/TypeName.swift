// SPDX-License-Identifier: BSD-3-Clause

/// How another process of the same program finds a type: by the runtime's own name for it, so that nothing has to be registered.
enum TypeName {
    /// nil for a type that another process cannot find.
    static func name(of type: Any.Type) -> String? {
        guard let name = _mangledTypeName(type), let found = _typeByName(name), found == type else { return nil }
        return name
    }

    static func type(named name: String) -> Any.Type? { _typeByName(name) }

    /// - Throws: ``TaskError`` (`refused`) for a type that another process cannot find.
    static func require(_ type: Any.Type) throws(TaskError) -> String {
        if let name = name(of: type) { return name }
        throw TaskError(
            .refused,
            "\(type) cannot be found by name in a worker, because it is private or local to a function, or generic over a type "
                + "that is: make it internal or public, outside of functions")
    }
}
