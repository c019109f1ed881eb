# Everything that can be tuned, each with its default unless the comment says otherwise.
resource "ostraka_collection" "tuned" {
  name                     = "tuned"
  vectors                  = { "" = { size = 384, distance = "Euclid" } }
  replication_factor       = 3
  write_consistency_factor = 2 # default: 1
  on_disk_payload          = true

  hnsw = {
    m                    = 16
    ef_construct         = 200 # default: 100
    full_scan_threshold  = 10000
    max_indexing_threads = 0
    on_disk              = false
  }

  optimizers = {
    deleted_threshold        = 0.2
    vacuum_min_vector_number = 1000
    indexing_threshold       = 20000 # default: 10000
    flush_interval_sec       = 5
  }

  timeouts = {
    create = "2m"
    update = "1h"
  }
}
