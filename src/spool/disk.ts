import { statfsSync } from 'node:fs'
import { dirname } from 'node:path'
import { UsageError } from '#kernel/errors'

/** As `statfs(2)` names them (linux/magic.h): file systems that forget. */
const forgetful: ReadonlyMap<number, string> = new Map([
  [0x01021994, 'tmpfs'],
  [0x858458f6, 'ramfs'],
])

/** @throws UsageError where what is written to the directory is gone with the machine's power. */
export function refuseForgetfulDisk(directory: string, typeOf: (path: string) => number = fileSystemType): void {
  const name = forgetful.get(typeOf(directory))
  if (name === undefined) return
  throw new UsageError(
    `The spool directory ${directory} lies in memory (${name}), which forgets: set MILLRACE_SPOOL_DIR to one on a disk.`,
  )
}

/** Of the directory, or of what it will be made in. */
function fileSystemType(path: string): number {
  try {
    return statfsSync(path).type
  } catch (error) {
    // Whatever else is wrong with it is told when it is opened.
    if (dirname(path) === path) throw error
    return fileSystemType(dirname(path))
  }
}
