import type { Bounds } from "../attack.ts";
import type { SiegeSystem } from "../siege-system.ts";
import type { Disk } from "./disk.ts";
import type { Network } from "./network.ts";

/** The parts that faults break. */
export type FaultPlace = {
  system: SiegeSystem;
  /** The network between the services and Postgres. */
  network: Network;
  /** Undefined if no disk can be mounted. */
  disk: Disk | undefined;
};

/** A way to make commits hang. */
export type Fault = {
  name: string;
  title: string;
  /** Starts the fault, and returns a function that ends it. */
  inflict(place: FaultPlace): Promise<() => Promise<void>>;
  /** Why the fault cannot be tried here. */
  impossible?(place: FaultPlace): string | undefined;
  /** Whether other users of the database can continue during the fault. */
  othersCanConnect: boolean;
  bounds: Partial<Bounds>;
};
