-- Written only in development, where keys are made up: tokens stay valid when auth restarts.
create table auth.development_signing_keys (
  only_row boolean primary key default true
    constraint development_signing_keys_only_row check (only_row),
  private_key text not null
);
