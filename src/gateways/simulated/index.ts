export { createSimulatedClient, type GatewayOutcome, type SimulatedClient } from './client.ts'
export { type SimulatedGateway, type SimulatedGatewayOptions, startSimulatedGateway } from './server.ts'
