"""Making batch folders from published archives, folders of images and the like, one module per source (spec 5.4)."""
