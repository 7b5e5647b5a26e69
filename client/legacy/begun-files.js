/* Remembers unfinished uploads across page loads: the task id of each file, and a digest of the chunks that the server confirmed. */
;((Landfall) => {
  const KEY = 'landfall.legacy'
  const MAX_ENTRIES = 100
  // Another service may run under another path of this origin.
  const PLACE = new URL('upload/accept', location.href).pathname

  /** What a browser says of a file without reading it: a different file may have the same. */
  const describe = ({ name, size, lastModified }) => JSON.stringify([PLACE, name, size, lastModified])

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
      // Without storage a file resumes until the page is closed.
    }
  }

  Landfall.begunFiles = {
    /** The upload that was begun for such a file: `{ taskId, chunks, digest }`; `undefined` if there is none. */
    find(source) {
      const entry = read().find(({ file }) => file === describe(source))
      return entry && { taskId: entry.taskId, chunks: entry.chunks, digest: entry.digest }
    },

    /** Remembers the upload in place of an earlier one of such a file. The oldest entries make room for it. */
    save(source, { taskId, chunks, digest }) {
      const file = describe(source)
      write([{ file, taskId, chunks, digest }, ...read().filter((entry) => entry.file !== file)])
    },

    /** Forgets the upload of this task id. */
    forget: (taskId) => write(read().filter((entry) => entry.taskId !== taskId)),
  }
})(window.Landfall)
