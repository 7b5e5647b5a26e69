/* Resumes files: reuses the task id of an earlier attempt, and skips listed chunks that the file still matches. */
;(($, WebUploader, Landfall) => {
  /** Bytes. Chunk 0 is always sent again, to prove that the file is the same; so chunks are small. */
  const CHUNK_SIZE = 5 * 1024 * 1024
  const CHECK_TIMEOUT_MS = 10_000
  /** The server lists no chunks of an upload until it has been idle for 2 s or its last request has failed. */
  const IDLE_MS = 2_500
  /** The latest attempt for each file id. */
  const attempts = new Map()

  // Only uploaders created after this call run the hooks.
  WebUploader.Uploader.register(
    { 'before-send-file': 'prepare', 'before-send': 'skipConfirmed' },
    {
      prepare(file) {
        const deferred = WebUploader.Deferred()
        prepare(this.owner, file).then(deferred.resolve, deferred.reject)
        return deferred.promise()
      },
      // WebUploader drops blocks that wait in this hook when the page pauses, so this settles at once.
      skipConfirmed(block) {
        const deferred = WebUploader.Deferred()
        if (attempts.get(block.file.id).skips.has(block.chunk)) deferred.reject()
        else deferred.resolve()
        return deferred.promise()
      },
    },
  )

  /**
   * `fileTag` identifies one selection of the file. `digest` covers the first `chunks` chunks, all of them confirmed by
   * the server; `hashed` settles when it is up to date.
   */
  const newAttempt = (known) => ({
    taskId: WebUploader.Base.guid(),
    fileTag: WebUploader.Base.guid('lf_'),
    chunks: 0,
    digest: '',
    hashed: Promise.resolve(),
    skips: new Set(),
    isActive: false,
    status: 0,
    isRefused: false,
    isRestart: false,
    isFinished: false,
    ...known,
  })

  async function prepare(uploader, file) {
    await Landfall.session.known
    const attempt = await nextAttempt(uploader, file, attempts.get(file.id))
    attempt.isActive = true
    attempts.set(file.id, attempt)
    attempt.skips = await chunksToSkip(file, attempt)
  }

  /** Continues the last attempt, of this page load or an earlier one, if the file still has the confirmed bytes. */
  async function nextAttempt(uploader, file, last) {
    await last.hashed
    if (last.isRefused) {
      Landfall.unfinishedUploads.remove(last.taskId)
      return newAttempt({ isRestart: true })
    }
    const stored = last.chunks === 0 ? Landfall.unfinishedUploads.find(sourceOf(file)) : undefined
    const earlier = stored && !isInUse(stored.taskId) ? newAttempt(stored) : last
    return (await matches(uploader, file, earlier)) ? earlier : newAttempt()
  }

  const isInUse = (taskId) => [...attempts.values()].some((attempt) => attempt.isActive && attempt.taskId === taskId)

  /** Whether the first chunks of the file have this digest. */
  async function matches(uploader, file, { chunks, digest }) {
    let found = ''
    for (let chunk = 0; chunk < chunks; chunk++) {
      const bytes = sourceOf(file).slice(chunk * CHUNK_SIZE, (chunk + 1) * CHUNK_SIZE)
      found = await Landfall.extendDigest(uploader, found, bytes).catch(() => undefined)
      if (found === undefined) return false
      uploader.trigger('verifyProgress', file)
    }
    return found === digest
  }

  /** The browser's `File`. */
  const sourceOf = (file) => file.source.getSource()

  /** The fields that identify the file, in `/check` and in every chunk. */
  function fieldsOf(file, { taskId, fileTag }) {
    const chunks = Math.ceil(file.size / CHUNK_SIZE)
    return {
      task_id: taskId,
      landfall_file: fileTag,
      id: file.id,
      name: file.name,
      type: file.type,
      // Where browsers lack `lastModifiedDate`, WebUploader sends the time of choosing.
      lastModifiedDate: String(new Date(sourceOf(file).lastModified)),
      size: file.size,
      ...(chunks > 1 ? { chunks } : {}),
    }
  }

  async function chunksToSkip(file, attempt) {
    const listed = await listedChunks(file, attempt)
    if (attempt.chunks < 2 || listed.size > 0) return listed
    // An aborted request may still be running on the server.
    await new Promise((resolve) => setTimeout(resolve, IDLE_MS))
    return listedChunks(file, attempt)
  }

  /** The chunks that the server lists, among those that the digest covers. */
  async function listedChunks(file, attempt) {
    try {
      const data = fieldsOf(file, attempt)
      const headers = Landfall.session.headers()
      const answer = await $.post({ url: 'check', data, headers, dataType: 'json', timeout: CHECK_TIMEOUT_MS })
      const listed = new Set(answer.file_list.flat())
      const covered = [...Array(attempt.chunks).keys()]
      return new Set(covered.filter((chunk) => chunk > 0 && listed.has(`${attempt.taskId}${chunk}`)))
    } catch {
      return new Set()
    }
  }

  /** Whether a scan has rejected the file. WebUploader drops the body of a 409, which would say so. */
  const isRejected = (file) =>
    Landfall.resume.complete(file).then(
      () => false,
      ({ responseJSON }) => responseJSON?.error?.code === 'rejected',
    )

  /** Adds a confirmed chunk to the digest. Chunks arrive in order, because the uploader has one thread. */
  function confirm(uploader, file, attempt, chunk, bytes) {
    attempt.hashed = attempt.hashed.then(async () => {
      if (chunk !== attempt.chunks) return
      const digest = await Landfall.extendDigest(uploader, attempt.digest, bytes).catch(() => undefined)
      if (digest === undefined) return
      Object.assign(attempt, { chunks: chunk + 1, digest })
      if (!attempt.isFinished) Landfall.unfinishedUploads.save(sourceOf(file), attempt)
    })
  }

  Landfall.resume = {
    CHUNK_SIZE,

    /** Makes the files of an uploader resume. The uploader must have one thread and chunks of `CHUNK_SIZE`. */
    watch(uploader) {
      uploader.on('fileQueued', (file) => {
        attempts.set(file.id, newAttempt())
      })
      uploader.on('uploadBeforeSend', (block, data, headers) => {
        const credentials = Landfall.session.fields()
        if (Object.keys(credentials).length === 0) Object.assign(headers, Landfall.session.headers())
        Object.assign(data, credentials, fieldsOf(block.file, attempts.get(block.file.id)))
      })
      uploader.on('uploadAccept', (block, answer) => {
        const attempt = attempts.get(block.file.id)
        if (answer.ok !== true || block.chunks === 1) return
        attempt.url = answer.url
        confirm(uploader, block.file, attempt, block.chunk, block.blob.getSource())
      })
      uploader.on('uploadError', (file) => {
        const attempt = attempts.get(file.id)
        attempt.isActive = false
        attempt.status = Math.max(0, ...(file.blocks ?? []).map((block) => block.transport?.getStatus() ?? 0))
        attempt.isRefused = attempt.status === 409
      })
      uploader.on('uploadSuccess', (file) => {
        attempts.get(file.id).isActive = false
      })
      uploader.on('uploadComplete', async (file) => {
        if (!Landfall.resume.willRestart(file)) return
        if (await isRejected(file)) uploader.trigger('fileRejected', file)
        else uploader.retry(file)
      })
    },

    /** Asks the server to confirm the file. Fails with the jQuery request. */
    complete(file) {
      const data = { task_id: attempts.get(file.id).taskId, filename: file.name }
      return $.ajax({ url: 'upload/complete', data, dataType: 'json', headers: Landfall.session.headers() })
    },

    /** The status that ended the attempt; 0 without one. */
    statusOf: (file) => attempts.get(file.id).status,

    /**
     * Whether the page sends the file again, once, under a new task id: after a 409, the stored upload is of another
     * file, unless a scan has rejected it.
     */
    willRestart(file) {
      const { isRefused, isRestart } = attempts.get(file.id)
      return isRefused && !isRestart
    },

    /** Removes the upload of a file that the visitor has cancelled, here and on the server. */
    cancel(file) {
      const { url } = attempts.get(file.id)
      Landfall.resume.finish(file)
      // If the service does not allow it, the upload expires.
      if (url) $.ajax({ url, method: 'DELETE', headers: Landfall.session.headers() })
    },

    /** Removes the stored upload, once the server has confirmed or rejected the file. */
    finish(file) {
      const attempt = attempts.get(file.id)
      attempt.isFinished = true
      Landfall.unfinishedUploads.remove(attempt.taskId)
    },
  }
})(window.jQuery, window.WebUploader, window.Landfall)
