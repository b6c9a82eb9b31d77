"""PNG, JPEG, BMP and WebP: Pillow decodes pixels; what else they hold is read and written here."""
