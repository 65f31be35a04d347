// SPDX-License-Identifier: BSD-3-Clause

/// How a worker finds the type of a task: by the runtime's own name for it, so that nothing has to be registered.
enum TaskTypeName {
    /// - Throws: ``TaskError`` (`refused`) for a type that another process cannot find.
    static func name<T: RemoteTask>(of type: T.Type) throws(TaskError) -> String {
        guard let name = _mangledTypeName(type), let found = _typeByName(name), found == type else {
            throw TaskError(
                code: .refused,
                description: "\(type) cannot be found by name in a worker, because it is private or local to a function: "
                    + "make it internal or public, outside of functions",
                errorOutput: "")
        }
        return name
    }

    static func type(named name: String) -> (any RemoteTask.Type)? { _typeByName(name) as? any RemoteTask.Type }
}
