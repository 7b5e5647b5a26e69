/** What a flood creates: uploads of a petabyte, files of length 0, large metadata, WebUploader tasks. */
export const FLOODS = ['unfinished', 'empty', 'metadata', 'tasks'] as const

export type Flood = (typeof FLOODS)[number]
