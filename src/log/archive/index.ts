export { type Archive, createArchive } from './directory.ts'
export { readSegment } from './read-segment.ts'
export { groupsBehind, listSegments } from './sql.ts'
export { verifyArchive } from './verify.ts'
