// How pages use each upload library. A function starts the upload of some files, and reports how each has ended.
const libraries = {
  resumable(files, { url, chunkSize, force, slow }, report) {
    const r = new Resumable({
      target: url,
      chunkSize,
      forceChunkSize: force === true,
      simultaneousUploads: 3,
      maxChunkRetries: slow ? 100 : 3,
      chunkRetryInterval: slow ? 200 : undefined,
    })
    r.on('fileSuccess', (file, message) => report(file.fileName, true, message))
    r.on('fileError', (file, message) => report(file.fileName, false, message))
    r.on('filesAdded', () => r.upload())
    r.addFiles(files)
  },
  flow(files, { url, chunkSize, force, slow }, report) {
    const flow = new Flow({
      target: url,
      chunkSize,
      forceChunkSize: force === true,
      maxChunkRetries: slow ? 100 : 3,
      chunkRetryInterval: slow ? 200 : null,
    })
    flow.on('fileSuccess', (file, message) => report(file.name, true, message))
    flow.on('fileError', (file, message) => report(file.name, false, message))
    flow.on('filesSubmitted', () => flow.upload())
    flow.addFiles(files)
  },
  'simple-uploader'(files, options, report) {
    simpleUploader(files, options, report)
  },
  'vue-simple-uploader'(files, options, report) {
    const checkChunkUploadedByResponse = (chunk, message) => {
      const { skipUpload, uploaded } = JSON.parse(message)
      return skipUpload || uploaded.includes(chunk.offset + 1)
    }
    const page = {
      data: () => ({ options: { ...simpleOptions(options), checkChunkUploadedByResponse } }),
      methods: {
        success: (_, file, message) => report(file.name, true, message),
        error: (_, file, message) => report(file.name, false, message),
      },
      template: '<uploader ref="uploader" :options="options" @file-success="success" @file-error="error" />',
    }
    const app = Vue.createApp(page).use(window['vue-uploader'].default ?? window['vue-uploader'])
    app.mount('#element').$refs.uploader.uploader.addFiles(files)
  },
  dropzone(files, options, report) {
    dropzone(files, options, report)
  },
  dropzone5(files, options, report) {
    dropzone(files, options, report)
  },
  async 'fine-uploader'(files, options, report) {
    const uploader = fineUploader(options, report)
    for (const file of files) {
      const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', await file.arrayBuffer()))
      uploader.addFiles([file], { digest: Array.from(digest, (byte) => byte.toString(16).padStart(2, '0')).join('') })
    }
  },
  'fine-uploader-plain'(files, options, report) {
    fineUploader(options, report).addFiles(files)
  },
  plupload(files, { url, chunkSize, slow }, report) {
    const uploader = new plupload.Uploader({
      runtimes: 'html5',
      browse_button: 'button',
      url,
      chunk_size: chunkSize,
      max_retries: slow ? 30 : 3,
      multipart_params: { id: String(Math.random()) },
    })
    uploader.bind('FileUploaded', (_, file, { response }) => report(file.name, true, response))
    uploader.bind('Error', (_, { file, message, response }) => report(file.name, false, response ?? message))
    uploader.bind('FilesAdded', () => uploader.start())
    uploader.bind('PostInit', () => uploader.addFile(files))
    uploader.init()
  },
  filepond(files, { url, chunkSize, slow }, report) {
    const pond = FilePond.create(document.querySelector('#element'), {
      server: url,
      allowMultiple: true,
      chunkUploads: true,
      chunkSize,
      chunkRetryDelays: slow ? Array(100).fill(200) : [50, 100, 200],
    })
    pond.on('processfile', (error, item) => report(item.filename, error === null, item.serverId ?? error?.body))
    window.pond = pond
    pond.addFiles(files)
  },
  blueimp(files, { url, chunkSize }, report) {
    const widget = $('#element').fileupload({
      url,
      maxChunkSize: chunkSize,
      dataType: 'json',
      done: (_, data) => report(data.files[0].name, true, JSON.stringify(data.result)),
      fail: (_, data) => report(data.files[0].name, false, data.jqXHR?.responseText),
    })
    widget.fileupload('add', { files })
  },
  uploady(files, { url, chunkSize }, report) {
    const uploader = uploady.createUploader({
      destination: { url },
      concurrent: true,
      maxConcurrent: 3,
      enhancer: uploady.getChunkedEnhancer({ chunkSize, parallel: 3, retries: 4 }),
    })
    uploader.on('FILE-FINISH', ({ file, uploadResponse }) => report(file.name, true, JSON.stringify(uploadResponse)))
    uploader.on('FILE-ERROR', ({ file, uploadResponse }) => report(file.name, false, JSON.stringify(uploadResponse)))
    uploader.add(files)
  },
  upchunk(files, { url, chunkSize }, report) {
    for (const file of files) {
      const upload = UpChunk.createUpload({
        endpoint: `${url}/${crypto.randomUUID()}?name=${encodeURIComponent(file.name)}`,
        file,
        chunkSize: chunkSize / 1024,
        delayBeforeAttempt: 0.05,
      })
      upload.on('success', () => report(file.name, true))
      upload.on('error', ({ detail }) => report(file.name, false, detail.message))
    }
  },
  'huge-uploader'(files, { url, chunkSize, slow }, report) {
    for (const file of files) {
      const upload = new HugeUploader({
        endpoint: `${url}?name=${encodeURIComponent(file.name)}`,
        file,
        chunkSize: chunkSize / 1e6,
        retries: slow ? 100 : 3,
        delayBeforeRetry: slow ? 0.2 : 0.05,
        // Only the last chunk has them.
        postParams: { name: 'late.bin' },
      })
      upload.on('finish', () => report(file.name, true))
      upload.on('error', ({ detail }) => report(file.name, false, detail.status ?? detail))
    }
  },
  'ng-file-upload'(files, { url, chunkSize }, report) {
    const injector = angular.injector(['ng', 'ngFileUpload'])
    injector.get('$rootScope').$apply(() => {
      for (const file of files) {
        const sent = injector.get('Upload').upload({ url, data: { file }, resumeChunkSize: chunkSize, resumeSizeUrl: url })
        sent.then(
          ({ data }) => report(file.name, data.success, JSON.stringify(data)),
          ({ status }) => report(file.name, false, status),
        )
      }
    })
  },
  'webuploader-md5-a'(files, { url, chunkSize }, report) {
    md5Page(files, { server: url, chunkSize, headOnly: true }, report, {
      chunkExists: async ({ fileMd5, chunk, size }) =>
        (await post(`${url}?action=checkChunk`, { fileMd5, chunk, chunkSize: size })).ifExist,
      merge: ({ fileMd5, name }) => post(`${url}?action=mergeChunks`, { fileMd5, fileName: name }),
      formData: (fileMd5) => ({ fileMd5 }),
    })
  },
  'webuploader-md5-b'(files, { url, chunkSize }, report) {
    md5Page(files, { server: url, chunkSize }, report, {
      fileExists: async ({ fileMd5 }) => (await post(url, { status: 'md5Check', md5: fileMd5 })).ifExist,
      chunkExists: async ({ fileMd5, chunk, size, name }) =>
        (await post(url, { status: 'chunkCheck', name, md5: fileMd5, chunkIndex: chunk, size })).ifExist,
      merge: ({ fileMd5, name, chunks }) =>
        chunks > 1 ? post(url, { status: 'chunksMerge', name, chunks, ext: name.split('.').pop(), md5: fileMd5 }) : {},
      formData: (md5) => ({ userId: 'u', md5 }),
    })
  },
  'webuploader-md5-c'(files, { url, chunkSize }, report) {
    const facts = ({ fileMd5, name, file }) => ({
      ...{ fileMd5, fileName: name, fileSize: file.size, mimetype: file.type, fileExt: name.split('.').pop() },
    })
    md5Page(files, { server: `${url}/uploadchunk`, chunkSize }, report, {
      fileExists: async (asked) => {
        if ((await post(`${url}/register`, facts(asked))).success !== true) throw new Error('register')
        return false
      },
      chunkExists: async ({ fileMd5, chunk, size }) =>
        (await post(`${url}/checkchunk`, { fileMd5, chunk, chunkSize: size })).ifExist,
      merge: (asked) => post(`${url}/mergechunks`, facts(asked)),
      formData: (fileMd5) => ({ fileMd5 }),
    })
  },
  'webuploader-md5-d'(files, { url, chunkSize }, report) {
    const known = new Map()
    md5Page(files, { server: `${url}/uploadFileByMd5.action`, chunkSize }, report, {
      fileExists: async ({ fileMd5, name }) => {
        const answer = await post(`${url}/checkMD5.action`, { status: 'md5Check', md5: fileMd5, fileName: name })
        known.set(fileMd5, answer.chunkFileNames)
        return answer.ifExist
      },
      chunkExists: async ({ fileMd5, chunk }) => known.get(fileMd5).includes(String(chunk)),
      merge: ({ fileMd5, name, chunks }) =>
        post(`${url}/mergeFileByMd5.action`, { status: 'chunksMerge', chunks, ext: '', md5: fileMd5, fileName: name }),
      formData: (md5) => ({ md5, uploadFileStatus: 'chunks' }),
    })
  },
}

function fineUploader({ url, chunkSize, slow }, report) {
  const uploader = new qq.FineUploaderBasic({
    request: { endpoint: url },
    chunking: {
      enabled: true,
      partSize: chunkSize,
      concurrent: { enabled: true },
      success: { endpoint: `${url}/done` },
    },
    resume: { enabled: true },
    retry: { enableAuto: true, autoAttemptDelay: slow ? 1 : 0.05, maxAutoAttempts: slow ? 30 : 3 },
    deleteFile: { enabled: true, endpoint: url },
    callbacks: {
      onComplete: (id, name, json) => report(name, json.success === true, JSON.stringify(json)),
      onDeleteComplete: (id, xhr) => window.onDeleted?.(xhr.status),
    },
  })
  window.fine = uploader
  return uploader
}

function simpleOptions({ url, chunkSize, force, slow }) {
  return {
    target: url,
    chunkSize,
    forceChunkSize: force === true,
    maxChunkRetries: slow ? 100 : 3,
    chunkRetryInterval: slow ? 200 : null,
  }
}

function simpleUploader(files, options, report) {
  const uploader = new Uploader(simpleOptions(options))
  uploader.on('fileSuccess', (_, file, message) => report(file.name, true, message))
  uploader.on('fileError', (_, file, message) => report(file.name, false, message))
  uploader.on('filesSubmitted', () => uploader.upload())
  uploader.addFiles(files)
}

function dropzone(files, { url, chunkSize, force }, report) {
  const zone = new Dropzone('#element', {
    url,
    chunking: true,
    forceChunking: force === true,
    chunkSize,
    parallelChunkUploads: true,
    parallelUploads: 3,
    retryChunks: true,
    previewTemplate: '<i></i>',
  })
  zone.on('success', (file, answer) => report(file.name, true, JSON.stringify(answer)))
  zone.on('error', (file, message) => report(file.name, false, JSON.stringify(message)))
  for (const file of files) zone.addFile(file)
}

async function post(url, fields) {
  const response = await fetch(url, { method: 'POST', body: new URLSearchParams(fields) })
  return { ok: response.ok, ...(await response.json()) }
}

/** The page code of the tutorials: it asks before the file and before each block, and merges at the end. */
function md5Page(files, { server, chunkSize, headOnly }, report, page) {
  const facts = new Map()
  WebUploader.Uploader.register(
    { 'before-send-file': 'beforeSendFile', 'before-send': 'beforeSend', 'after-send-file': 'afterSendFile' },
    {
      beforeSendFile(file) {
        const deferred = WebUploader.Deferred()
        const hash = headOnly ? this.owner.md5File(file, 0, 65536) : this.owner.md5File(file)
        hash.then(async (fileMd5) => {
          facts.set(file.id, { fileMd5, name: file.name, file: file.source })
          const exists = await page.fileExists?.(facts.get(file.id)).catch(() => false)
          if (exists) this.owner.skipFile(file)
          deferred.resolve()
        })
        return deferred.promise()
      },
      beforeSend(block) {
        const deferred = WebUploader.Deferred()
        const asked = { ...facts.get(block.file.id), chunk: block.chunk, size: block.end - block.start }
        Promise.resolve(page.chunkExists(asked)).then(
          (exists) => (exists ? deferred.reject() : deferred.resolve()),
          () => deferred.resolve(),
        )
        return deferred.promise()
      },
      afterSendFile(file) {
        const deferred = WebUploader.Deferred()
        const { fileMd5, name } = facts.get(file.id)
        const chunks = Math.ceil(file.size / chunkSize)
        Promise.resolve(page.merge({ fileMd5, name, chunks, file: file.source }))
          .catch((error) => ({ ok: false, error: String(error) }))
          .then((answer) => {
            report(name, answer.ok !== false, JSON.stringify(answer))
            deferred.resolve()
          })
        return deferred.promise()
      },
    },
  )
  const uploader = WebUploader.create({
    server,
    chunked: true,
    chunkSize,
    threads: 3,
    auto: true,
    resize: false,
    compress: false,
    duplicate: true,
  })
  uploader.on('uploadBeforeSend', (block, data) => {
    Object.assign(data, page.formData(facts.get(block.file.id).fileMd5))
  })
  uploader.on('uploadError', (file, reason) => report(file.name, false, reason))
  uploader.addFiles(files.map((file) => new WebUploader.Lib.File(WebUploader.Base.guid('rt_'), file)))
}

// Resolves when every file has ended.
window.upload = (library, options) =>
  new Promise((resolve, reject) => {
    const files = [...document.querySelector('#input').files]
    const ended = []
    const report = (name, ok, body = '') => {
      ended.push({ name, ok, body: String(body) })
      if (ended.length === files.length) resolve(ended)
    }
    window.onerror = (message) => reject(new Error(message))
    libraries[library](files, options, report)
  })
