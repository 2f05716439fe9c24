"""What tests share: pictures, fake models, servers."""
