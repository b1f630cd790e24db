export { createDiskGuard, type DiskGuard, freeBytesOf, noDisk } from './disk.ts'
export { createInstruments, type Instruments } from './instruments.ts'
export { type HttpOptions, type RunningHttp, startHttp } from './server.ts'
