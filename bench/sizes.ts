export const KIB = 1024
export const MIB = 1024 * KIB
export const GIB = 1024 * MIB

/** Formats a size: `4 MiB`, `1 GiB`. */
export function nameOfSize(bytes: number): string {
  return bytes >= GIB ? `${bytes / GIB} GiB` : `${bytes / MIB} MiB`
}
