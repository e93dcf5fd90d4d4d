import type { Bounds } from "../attack.ts";
import type { SiegeSystem } from "../siege-system.ts";
import type { Disk } from "./disk.ts";
import type { Network } from "./network.ts";

/** What can be made to fail. */
export type FaultPlace = {
  system: SiegeSystem;
  /** Between the services and Postgres. */
  network: Network;
  /** Undefined where none can be mounted. */
  disk: Disk | undefined;
};

/** A way in which commits hang. */
export type Fault = {
  name: string;
  title: string;
  /** Begins it, and answers what ends it. */
  inflict(place: FaultPlace): Promise<() => Promise<void>>;
  /** Why it cannot be tried here. */
  impossible?(place: FaultPlace): string | undefined;
  /** Whether other users of the database can go on meanwhile. */
  othersCanConnect: boolean;
  bounds: Partial<Bounds>;
};
