/* Resumes a file: under the task id of its earlier try, without the chunks that the server lists and this file agrees with. */
;(($, WebUploader, Landfall) => {
  /** Bytes. Chunk 0 always comes again, as proof that the file is the same. */
  const CHUNK_SIZE = 5 * 1024 * 1024
  const CHECK_TIMEOUT_MS = 10_000
  /** The server lists no chunks of an upload for 2 s after its last request, as long as that may be continued. */
  const QUIET_MS = 2_500
  /** The current try of each file, by file id. */
  const tries = new Map()

  // A hook is only seen by uploaders that are created after it.
  WebUploader.Uploader.register(
    { 'before-send-file': 'prepare', 'before-send': 'skipConfirmed' },
    {
      prepare(file) {
        const deferred = WebUploader.Deferred()
        prepare(this.owner, file).then(deferred.resolve, deferred.reject)
        return deferred.promise()
      },
      // WebUploader loses blocks that wait in this hook when the page pauses, so it must not wait.
      skipConfirmed(block) {
        const deferred = WebUploader.Deferred()
        if (tries.get(block.file.id).skips.has(block.chunk)) deferred.reject()
        else deferred.resolve()
        return deferred.promise()
      },
    },
  )

  /**
   * `tag` tells the server which choice of a file a chunk belongs to. `digest` is that of the first `chunks` chunks, which the
   * server has confirmed; `hashed` settles when it is up to date.
   */
  const begin = (known) => ({
    taskId: WebUploader.Base.guid(),
    tag: WebUploader.Base.guid('lf_'),
    chunks: 0,
    digest: '',
    hashed: Promise.resolve(),
    skips: new Set(),
    isActive: false,
    isRefused: false,
    isAfresh: false,
    isFinished: false,
    ...known,
  })

  async function prepare(uploader, file) {
    const attempt = await nextTry(uploader, file, tries.get(file.id))
    attempt.isActive = true
    tries.set(file.id, attempt)
    attempt.skips = await confirmedChunks(file, attempt)
  }

  /** Continues the last try, of this page load or an earlier one, if the file still has the confirmed bytes. */
  async function nextTry(uploader, file, last) {
    await last.hashed
    if (last.isRefused) {
      Landfall.begunFiles.forget(last.taskId)
      return begin({ isAfresh: true })
    }
    const remembered = last.chunks === 0 ? Landfall.begunFiles.find(sourceOf(file)) : undefined
    const earlier = remembered && !isInUse(remembered.taskId) ? begin(remembered) : last
    return (await isSame(uploader, file, earlier)) ? earlier : begin()
  }

  const isInUse = (taskId) => [...tries.values()].some((attempt) => attempt.isActive && attempt.taskId === taskId)

  async function isSame(uploader, file, { chunks, digest }) {
    let found = ''
    for (let chunk = 0; chunk < chunks; chunk++) {
      const bytes = sourceOf(file).slice(chunk * CHUNK_SIZE, (chunk + 1) * CHUNK_SIZE)
      found = await Landfall.addToDigest(uploader, found, bytes).catch(() => undefined)
      if (found === undefined) return false
      uploader.trigger('verifyProgress', file)
    }
    return found === digest
  }

  /** The file as the browser has it. */
  const sourceOf = (file) => file.source.getSource()

  /** The fields that tell this file from others, as `/check` and every chunk carry them. */
  function fieldsOf(file, { taskId, tag }) {
    const chunks = Math.ceil(file.size / CHUNK_SIZE)
    return {
      task_id: taskId,
      landfall_file: tag,
      id: file.id,
      name: file.name,
      type: file.type,
      // Where browsers have no `lastModifiedDate`, WebUploader sends the time of choosing.
      lastModifiedDate: String(new Date(sourceOf(file).lastModified)),
      size: file.size,
      ...(chunks > 1 ? { chunks } : {}),
    }
  }

  /** The chunks that the server lists and whose bytes are proved to be those of this file. */
  async function confirmedChunks(file, attempt) {
    const listed = await listedChunks(file, attempt)
    if (attempt.chunks < 2 || listed.size > 0) return listed
    // The request that was broken off may still be running.
    await new Promise((resolve) => setTimeout(resolve, QUIET_MS))
    return listedChunks(file, attempt)
  }

  async function listedChunks(file, attempt) {
    try {
      const data = fieldsOf(file, attempt)
      const answer = await $.post({ url: 'check', data, dataType: 'json', timeout: CHECK_TIMEOUT_MS })
      const listed = new Set(answer.file_list.flat())
      const confirmed = [...Array(attempt.chunks).keys()]
      return new Set(confirmed.filter((chunk) => chunk > 0 && listed.has(`${attempt.taskId}${chunk}`)))
    } catch {
      return new Set()
    }
  }

  /** Adds a confirmed chunk to the digest. Chunks come in order, as the uploader has one thread. */
  function confirm(uploader, file, attempt, chunk, bytes) {
    attempt.hashed = attempt.hashed.then(async () => {
      if (chunk !== attempt.chunks) return
      const digest = await Landfall.addToDigest(uploader, attempt.digest, bytes).catch(() => undefined)
      if (digest === undefined) return
      Object.assign(attempt, { chunks: chunk + 1, digest })
      if (!attempt.isFinished) Landfall.begunFiles.save(sourceOf(file), attempt)
    })
  }

  Landfall.resume = {
    CHUNK_SIZE,

    /** Makes the files of an uploader resume. It must have one thread. */
    watch(uploader) {
      uploader.on('fileQueued', (file) => {
        tries.set(file.id, begin())
      })
      uploader.on('uploadBeforeSend', (block, data) => {
        Object.assign(data, fieldsOf(block.file, tries.get(block.file.id)))
      })
      uploader.on('uploadAccept', (block, answer) => {
        if (answer.ok !== true || block.chunks === 1) return
        confirm(uploader, block.file, tries.get(block.file.id), block.chunk, block.blob.getSource())
      })
      uploader.on('uploadError', (file) => {
        const attempt = tries.get(file.id)
        attempt.isActive = false
        attempt.isRefused = (file.blocks ?? []).some((block) => block.transport?.getStatus() === 409)
      })
      uploader.on('uploadSuccess', (file) => {
        tries.get(file.id).isActive = false
      })
      uploader.on('uploadComplete', (file) => {
        if (Landfall.resume.startsAfresh(file)) uploader.retry(file)
      })
    },

    taskIdOf: (file) => tries.get(file.id).taskId,

    /** Whether the page sends the file again by itself, under a new task id: what the server has contradicts it. */
    startsAfresh(file) {
      const { isRefused, isAfresh } = tries.get(file.id)
      return isRefused && !isAfresh
    },

    /** To call when the server says that the file is there. */
    finish(file) {
      const attempt = tries.get(file.id)
      attempt.isFinished = true
      Landfall.begunFiles.forget(attempt.taskId)
    },
  }
})(window.jQuery, window.WebUploader, window.Landfall)
