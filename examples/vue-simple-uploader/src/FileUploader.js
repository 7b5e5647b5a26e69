// What <uploader> of vue-simple-uploader does around simple-uploader.js: an input, a list, and the events of the
// library. A page that has vue-simple-uploader keeps its component, and changes its options only.
import Uploader from 'simple-uploader.js'
import { onBeforeUnmount, reactive } from 'vue'

export const FileUploader = {
  props: { options: { type: Object, required: true } },
  emits: ['file-success', 'file-error'],

  setup(props, { emit }) {
    // Not reactive: the library compares its own objects.
    const uploader = new Uploader(props.options)
    const rows = reactive(new Map())

    uploader.on('fileAdded', (file) => {
      rows.set(file.id, { name: file.name, percent: 0, state: 'uploading' })
    })
    uploader.on('filesSubmitted', () => uploader.upload())
    uploader.on('fileProgress', (_root, file) => {
      rows.get(file.id).percent = Math.floor(file.progress() * 100)
    })
    uploader.on('fileSuccess', (_root, file, message) => {
      Object.assign(rows.get(file.id), { percent: 100, state: 'uploaded' })
      emit('file-success', file, JSON.parse(message))
    })
    uploader.on('fileError', (_root, file, message) => {
      rows.get(file.id).state = 'failed'
      emit('file-error', file, message)
    })
    onBeforeUnmount(() => uploader.cancel())

    return { rows, add: ({ target }) => uploader.addFiles(target.files) }
  },

  template: `
    <input type="file" aria-label="Files" multiple @change="add">
    <ul>
      <li v-for="[id, { name, percent, state }] of rows" :key="id">
        {{ name }} <progress max="100" :value="percent" /> {{ state }}
      </li>
    </ul>`,
}
