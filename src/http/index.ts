export { createDiskGuard, freeBytesOf, noDisk } from './disk.ts'
export { createInstruments } from './instruments.ts'
export { type RunningHttp, startHttp } from './server.ts'
