/* Stores unfinished uploads across page loads: their task ids, and a digest of the confirmed chunks. */
;((Landfall) => {
  const KEY = 'landfall.legacy'
  const MAX_ENTRIES = 100
  // Another service may run under another path of this origin.
  const ENDPOINT = new URL('upload/accept', location.href).pathname

  /** The properties of a file that need no reading, and whose upload it is. Two files may share them. */
  const describe = ({ name, size, lastModified }) => {
    const owner = Landfall.session.owner()
    return JSON.stringify([ENDPOINT, name, size, lastModified, ...(owner === undefined ? [] : [owner])])
  }

  function read() {
    try {
      const entries = JSON.parse(localStorage.getItem(KEY))
      return Array.isArray(entries) ? entries : []
    } catch {
      return []
    }
  }

  function write(entries) {
    try {
      localStorage.setItem(KEY, JSON.stringify(entries.slice(0, MAX_ENTRIES)))
    } catch {
      // Without storage, files resume until the page is closed.
    }
  }

  Landfall.unfinishedUploads = {
    /** Returns `{ taskId, chunks, digest }` of the upload of such a file, or `undefined`. */
    find(source) {
      const entry = read().find(({ file }) => file === describe(source))
      return entry && { taskId: entry.taskId, chunks: entry.chunks, digest: entry.digest }
    },

    /** Stores an upload in place of an earlier one of such a file, and drops the oldest beyond 100. */
    save(source, { taskId, chunks, digest }) {
      const file = describe(source)
      write([{ file, taskId, chunks, digest }, ...read().filter((entry) => entry.file !== file)])
    },

    /** The names of the files of this visitor. */
    names() {
      const own = (file) => {
        try {
          const [, name, size, lastModified] = JSON.parse(file)
          return file === describe({ name, size, lastModified }) ? [name] : []
        } catch {
          return []
        }
      }
      return [...new Set(read().flatMap(({ file }) => own(file)))]
    },

    remove: (taskId) => write(read().filter((entry) => entry.taskId !== taskId)),
  }
})(window.Landfall)
